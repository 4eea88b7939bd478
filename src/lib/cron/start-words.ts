// Says when a schedule fires that waits for a start of the server or of the host.

export const startWords: ReadonlyMap<string, string> = new Map([
  ['@reboot', 'at the next start of the server'],
  ['@boot', 'at the next boot of the host'],
]);
