// What the user types to call flwd.

/** `flwd`, or `npx flwd` if the user typed that. Commands that a message tells the user to type begin with it. */
export const ownName = isCalledByNpx() ? 'npx flwd' : 'flwd';

/** False if npx started another program, which started flwd. */
function isCalledByNpx(): boolean {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env;
  return event === 'npx' && /^(["']?)flwd\1(?:\s|$)/.test(script);
}
