// Texts whose contrast with what is behind them is below 4.5 to 1, as WCAG 2 counts it.
() => {
  const channel = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const colour = (text) => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (below, [r, g, b, a = 1]) => [r, g, b].map((value, at) => value * a + below[at] * (1 - a));
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) layers.unshift(colour(getComputedStyle(each).backgroundColor));
    return layers.reduce(over, [255, 255, 255]);
  };
  const shown = (element) => element.offsetParent && !element.closest(".skip, option, script");
  const said = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const faint = (element) => {
    const [darker, lighter] = [colour(getComputedStyle(element).color), behind(element)].map(light).sort((a, b) => a - b);
    return (lighter + 0.05) / (darker + 0.05) < 4.5;
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) => shown(element) && said(element));
  return texts.filter(faint).map((element) => `${element.tagName}.${element.className}: ${element.textContent.trim().slice(0, 40)}`);
}
