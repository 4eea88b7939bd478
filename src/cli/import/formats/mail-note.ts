// The note about mails that another scheduler sent. It keeps the addresses, because they exist nowhere else once that
// scheduler is gone.

/** @param to addresses as the other scheduler writes them: `a@example.org, b@example.org` */
export function noteOfMail(when: 'failed' | 'succeeded' | 'started', to: string): string {
  const list = to.split(/[\s,;]+/).filter((address) => address !== '');
  return (
    `when it ${when}, a mail went to ${list.join(', ')}: use \`notify\` with the channel ` +
    `\`{type: mail, to: [${list.join(', ')}]}\` (docs/guides/notifications.md)`
  );
}
