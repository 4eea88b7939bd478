// `Content-Disposition: attachment` with a file name that is safe to save under (RFC 6266): no folders, no control
// characters; the whole name in UTF-8, and in ASCII for what cannot read that.

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
