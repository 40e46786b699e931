"""What must hold for any input, shown by hypothesis."""
