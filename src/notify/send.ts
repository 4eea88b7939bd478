// One attempt to deliver a message: by HTTP, or by mail.

import { type Attempt, callReceiver } from './call-receiver.ts';
import type { Mail } from './channel/mail.ts';
import type { ChannelRequest } from './channel/request.ts';

/** Mail servers may take their time before they greet an unknown sender. */
const mailTimes = 3;

/** @throws the reason of `signal` once it is aborted, and nothing else */
export async function send(
  o: Omit<Parameters<typeof callReceiver>[0], 'request'> & { readonly request: ChannelRequest | Mail },
): Promise<Attempt> {
  const { request, timeoutMs, signal } = o;
  if (!('server' in request)) return callReceiver({ ...o, request });
  const { sendMail } = await import('./send-mail.ts');
  return sendMail(request, { timeoutMs: mailTimes * timeoutMs, signal });
}
