// Says when schedules fire that wait for a start of the server or the host.

export const startWords: ReadonlyMap<string, string> = new Map([
  ['@reboot', 'at the next start of the server'],
  ['@boot', 'at the next boot of the host'],
]);
