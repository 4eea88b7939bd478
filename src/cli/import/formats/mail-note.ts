// The note about mails that another scheduler sent. It keeps the addresses, because they exist nowhere else once that
// scheduler is gone.

/** @param to addresses as the other scheduler writes them: `a@example.org, b@example.org` */
export function noteOfMail(when: 'failed' | 'succeeded' | 'started', to: string): string {
  const list = to.split(/[\s,;]+/).filter((address) => address !== '');
  const addresses = list.join(', ');
  const mailed = `when it ${when}, a mail went to ${addresses}`;
  if (when === 'started') return `${mailed}: flwd sends no message when a run starts`;
  const event = when === 'failed' ? 'failed' : 'success';
  return (
    `${mailed}: use \`notify\` with \`on: [${event}]\` and the channel \`{type: mail, to: [${addresses}]}\` ` +
    '(docs/guides/notifications.md)'
  );
}
