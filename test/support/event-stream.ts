// Reads server-sent events the way a client does.

import { type EventSourceMessage, EventSourceParserStream } from 'eventsource-parser/stream';

/** What the tests read from a frame's data; the rest is compared whole. */
type FrameData = { readonly run_id: string; readonly message: string; readonly [member: string]: unknown };
export type Frame = { readonly id: string | undefined; readonly event: string | undefined; readonly data: FrameData };

/** The frames of a stream as they come; leaving the loop closes the connection. */
export async function* framesOf(response: Response): AsyncGenerator<Frame> {
  if (response.status !== 200 || !response.body)
    throw new Error(`no stream: ${response.status} ${await response.text()}`);
  const messages: ReadableStream<EventSourceMessage> = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const { id, event, data } of messages) yield { id, event, data: JSON.parse(data) };
}

/** Every frame until the server ends the stream. */
export async function allFramesOf(response: Response): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of framesOf(response)) frames.push(frame);
  return frames;
}

/** Frames up to and including the first that satisfies `isLast`. */
export async function framesUntil(response: Response, isLast: (frame: Frame) => boolean): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of framesOf(response)) {
    frames.push(frame);
    if (isLast(frame)) break;
  }
  return frames;
}

/** A server that has just started lets new runs wait until it has seen what it left running: that is no fault of theirs. */
export function apartFromWaits(frames: readonly Frame[]): Frame[] {
  return frames.filter(({ event }) => event !== 'run.waiting');
}
