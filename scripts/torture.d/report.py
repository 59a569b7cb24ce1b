"""The table."""


def table(rows, seed):
    """The report in Markdown."""
    total = sum(row.cases for row in rows)
    survivors = [survivor for row in rows for survivor in row.survivors]
    lines = ["| group | variant | cases | recovered | survivors | seconds |", "|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(_line(row.group, row.name, row.cases, len(row.survivors), row.seconds))
    lines.append(_line("**all**", "", total, len(survivors), sum(row.seconds for row in rows)))
    lines += ["", f"Seed {seed}."]
    for row in rows:
        lines += [f"- {row.group} {row.name}: {note}" for note in row.notes]
    for survivor in survivors:
        lines += ["", f"Survivor: {survivor.case} (log: {survivor.log})"]
        lines += [f"- {line}" for line in survivor.deviations]
    return "\n".join(lines) + "\n"


def _line(group, variant, cases, survivors, seconds):
    return f"| {group} | {variant} | {cases} | {cases - survivors} | {survivors} | {seconds:.0f} |"
