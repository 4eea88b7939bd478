// Server-sent events out of a stream of text (https://html.spec.whatwg.org/multipage/server-sent-events.html).

export type ServerSentEvent = {
  /** The last id that the stream gave, this event's or an earlier one's. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
};

/** @returns takes text as it comes, cut anywhere, and gives back the events that are complete */
export function createSseParser(): (text: string) => ServerSentEvent[] {
  let rest = '';
  let id = '';
  let event = '';
  let data: string[] = [];

  function take(line: string, events: ServerSentEvent[]): void {
    if (line === '') {
      if (data.length > 0) events.push({ id, event: event || 'message', data: data.join('\n') });
      event = '';
      data = [];
      return;
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
  }

  return (text) => {
    const events: ServerSentEvent[] = [];
    // A lone CR at the end may be half of a CRLF.
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) take(line, events);
    return events;
  };
}
