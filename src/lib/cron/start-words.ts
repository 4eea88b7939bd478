// The patterns of schedules that fire when the server or the host starts, and how each is written in words.

export const startWords: ReadonlyMap<string, string> = new Map([
  ['@reboot', 'at the next start of the server'],
  ['@boot', 'at the next boot of the host'],
]);
