"""Speed, measured as a ratio to a plain way of doing the same, in the same run."""
