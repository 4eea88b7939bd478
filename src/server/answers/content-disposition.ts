// Writes `Content-Disposition: attachment` with a file name that is safe to save (RFC 6266, section 4.3): without
// folders and control characters, and not hidden. The name is always quoted. If ASCII cannot hold the name, it is also
// given in UTF-8 (ADR 0043).

export function attachment(name: string): string {
  const safe =
    name
      .toWellFormed()
      .replaceAll(/[/\\\p{Cc}\p{Cf}]/gu, '_')
      .replace(/^\.+/, '_') || '_';
  const ascii = safe.replaceAll(/[^\x20-\x7e]|["%]/g, '_');
  const encoded = encodeURIComponent(safe).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"${ascii === safe ? '' : `; filename*=UTF-8''${encoded}`}`;
}
