// Reads server-sent events as a client does.

import { type EventSourceMessage, EventSourceParserStream } from 'eventsource-parser/stream';

/** The members of a frame's data that tests read; the rest is compared as a whole. */
type FrameData = { readonly run_id: string; readonly message: string; readonly [member: string]: unknown };
export type Frame = { readonly id: string | undefined; readonly event: string | undefined; readonly data: FrameData };

/** Yields the frames of a stream as they arrive. Leaving the loop closes the connection. */
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

/**
 * Leaves out the waits of a new run on a server that has just started and is still checking what it left running. Tests
 * of those runs ignore these waits.
 */
export function apartFromWaits(frames: readonly Frame[]): Frame[] {
  return frames.filter(({ event }) => event !== 'run.waiting');
}
