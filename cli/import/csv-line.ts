/** Fields of one line (RFC 4180, without line breaks in fields). @returns undefined for an unclosed quote */
export function fieldsOf(line: string): readonly string[] | undefined {
  const fields: string[] = [];
  for (let at = 0; ; ) {
    let field: string;
    if (line[at] === '"') {
      const match = /"((?:[^"]|"")*)"/y;
      match.lastIndex = at;
      const quoted = match.exec(line);
      if (quoted === null) return undefined;
      field = (quoted[1] ?? '').replaceAll('""', '"');
      at = match.lastIndex;
      if (at < line.length && line[at] !== ',') return undefined;
    } else {
      const comma = line.indexOf(',', at);
      const end = comma < 0 ? line.length : comma;
      field = line.slice(at, end).trim();
      at = end;
    }
    fields.push(field);
    if (at >= line.length) return fields;
    at += 1;
  }
}

export function lineOf(fields: readonly string[]): string {
  return fields
    .map((field) => (/[",]|^[\s#]|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}
