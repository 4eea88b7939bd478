// Words for a schedule that fires when something starts, and when that is.

export const startWords: ReadonlyMap<string, string> = new Map([
  ['@reboot', 'at the next start of the server'],
  ['@boot', 'at the next boot of the host'],
]);
