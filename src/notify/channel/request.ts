// The HTTP request that a channel type makes of a message.

import type { Message } from '../message.ts';

export type ChannelRequest = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Whether the request gets the headers of Standard Webhooks. */
  readonly isSigned: boolean;
};

/** A channel of flwd.yaml with the values of its secrets. A setting is empty if the channel does not have it. */
export type OpenChannel = {
  readonly name: string;
  readonly url: string;
  readonly token: string;
  readonly chatId: string;
  readonly routingKey: string;
  readonly to: readonly string[];
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
};

export type ToRequest = (channel: OpenChannel, message: Message) => ChannelRequest;

/** A message cannot be sent. The text says why, and contains no secret, no address and no name of a secret. */
export class ChannelError extends Error {
  /** The message for callers who administer the server. It may name a secret. */
  readonly detail: string;
  /** Whether only a change of flwd.yaml can help. */
  readonly isFinal: boolean;

  constructor(message: string, { detail = message, isFinal = false } = {}) {
    super(message);
    this.detail = detail;
    this.isFinal = isFinal;
  }
}

export function jsonRequest(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): ChannelRequest {
  return {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    isSigned: false,
  };
}
