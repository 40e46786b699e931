// Asks every two seconds what was published since, and puts it on top. Without it the page shows what was there when it was asked for.
"use strict";
(() => {
  const table = document.getElementById("transitions");
  const live = document.getElementById("live");
  const body = table.tBodies[0];
  const most = 200;
  let cursor = "";

  const place = (position) => (position ? position.stage || position.outcome || position.detour : "no stage");
  const cell = (text) => {
    const made = document.createElement("td");
    made.textContent = text;
    return made;
  };
  const row = (isNew) => ({ handle, record }) => {
    const made = document.createElement("tr");
    made.className = `op-${record.op}${isNew ? " new" : ""}`;
    const link = document.createElement("a");
    link.href = `/leads/${encodeURIComponent(handle)}`;
    link.textContent = record.subject.id;
    const lead = document.createElement("td");
    lead.append(link);
    const operation = record.op === "announce" ? "" : `${record.op}: `;
    const time = `${record.effective_at.slice(0, 16).replace("T", " ")} UTC`;
    made.append(cell(time), cell(record.funnel), lead, cell(operation + record.kind));
    made.append(cell(place(record.from)), cell(place(record.to)), cell(record.cause.rule));
    return made;
  };

  const ask = async () => {
    const asked = new URLSearchParams({ limit: "100" });
    if (table.dataset.funnel) asked.set("funnel", table.dataset.funnel);
    if (cursor) asked.set("after", cursor);
    const answer = await fetch(`/api/v1/transitions?${asked}`);
    if (answer.status === 503) return "still reading";
    if (!answer.ok) throw new Error(String(answer.status));
    const { cursor: next, transitions } = await answer.json();
    const begun = cursor.split("-")[0] === next.split("-")[0];
    if (!begun) body.replaceChildren(...transitions.map(row(false)));
    else body.prepend(...transitions.reverse().map(row(true)));
    cursor = next;
    while (body.rows.length > most) body.deleteRow(-1);
    if (body.rows.length) document.getElementById("nothing").hidden = true;
    return "live";
  };

  const again = async () => {
    try {
      if (!document.hidden) live.textContent = await ask();
    } catch {
      live.textContent = "no answer; trying again";
    }
    setTimeout(again, 2000);
  };
  again();
})();
