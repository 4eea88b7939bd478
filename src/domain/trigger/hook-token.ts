// The token in the address of a webhook that was made at run time: `flwd_hook_<secret>`. The server stores only its
// hash (ADR 0074).

const prefix = 'flwd_hook_';

/** @param secret 43 characters in base64url */
export function formatHookToken(secret: string): string {
  return prefix + secret;
}

/** Whether the text has the form of a token. If not, nobody needs to look it up. */
export function isHookToken(text: string): boolean {
  return /^flwd_hook_[\w-]{43}$/.test(text);
}

/** Hides such tokens in text that is shown or logged, even if a token has a few characters too many or too few. */
export function withoutHookTokens(text: string): string {
  return text.replaceAll(/flwd_hook_[\w-]{20,}/gi, 'flwd_hook_[redacted]');
}
