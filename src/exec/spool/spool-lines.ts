// Reassembles lines that were written in pieces while others wrote to the same spool: stdout, the helpers that print
// marked lines to it, and stderr. Each writer has its own unfinished line and its own redaction, so that a secret is
// found even if something was written between its parts. Lines come out redacted, in the order in which they end.

import { findMark, spoolMark } from '../../domain/log-line.ts';
import type { RedactionStream, Redactor } from '../redact/redact.ts';
import { cutBefore } from './spool-cut.ts';

export type SpoolLines = ReturnType<typeof createSpoolLines>;

/** An unfinished line of one writer. */
type OpenLine = {
  readonly redaction: RedactionStream;
  /** The first `length` bytes have not been redacted yet. */
  buffer: Buffer;
  length: number;
  /** Where a later process begins to read the line, and how much had been returned before. */
  from: { readonly offset: number; readonly givenBytes: number } | undefined;
};

const longestLineBytes = 64 * 1024;
/** Room for a whole character and a mark, so that a cut is never at the very beginning. */
const leastPieceBytes = 8;
/**
 * How far reading goes past the beginning of an unfinished line. Then the line so far is returned, so that the spool
 * can be freed. Its end stays in memory if it may begin a secret.
 */
const longestWaitBytes = 16 * 1024 * 1024;
const newline = 10;
const stderrLetter = 'E'.charCodeAt(0);
const nothing: Buffer = Buffer.alloc(0);

export function createSpoolLines(redactor: Redactor) {
  const plain = createOpenLine(redactor);
  const reported = createOpenLine(redactor);
  const errors = createOpenLine(redactor);
  const all = [plain, reported, errors];
  const out = createOutput();
  let current = plain;
  /** The line that continues after a line of stderr. */
  let interrupted = plain;
  let readBytes = 0;

  function begin(letter: number | undefined, offset: number): void {
    for (const line of [plain, reported]) if (isOverdue(line, offset)) out.giveFrom(line, nothing);
    if (letter === stderrLetter) {
      interrupted = current;
      current = errors;
      return;
    }
    // Two helpers at once, with long messages: the second ends the line of the first.
    if (current === reported) out.giveFrom(reported, nothing);
    current = reported;
  }

  /**
   * The end of the marked lines that begin at `at`. Takes several if nothing lies between them. Returns the length when
   * there is no end.
   */
  function endOfMarked(bytes: Buffer, at: number): number {
    for (let end = at; ; ) {
      const found = bytes.indexOf(newline, end);
      if (found < 0) return bytes.length;
      end = found + 1;
      const isNext = current === errors && bytes[end] === spoolMark && bytes[end + 1] === stderrLetter;
      if (!isNext || isOverdue(plain, readBytes + end) || isOverdue(reported, readBytes + end)) return end;
    }
  }

  function pushMixed(bytes: Buffer): void {
    let mark = findMark(bytes, 0);
    for (let at = 0; at < bytes.length; ) {
      // In a line of stderr a mark is text: the shim writes its lines whole.
      if (mark === at && current !== errors) begin(bytes[at + 1], readBytes + at);
      if (mark === at) mark = findMark(bytes, at + 1);
      let end = current === plain ? bytes.length : endOfMarked(bytes, at);
      if (current !== errors) end = Math.min(end, mark);
      out.take(current, bytes.subarray(at, end), readBytes + at);
      if (bytes[end - 1] === newline) current = current === errors ? interrupted : plain;
      if (mark < end) mark = findMark(bytes, end);
      at = end;
    }
  }

  return {
    /**
     * Takes the next bytes of the spool. Returns lines that have ended, or a piece of a line that is longer than 64
     * KiB.
     */
    push(bytes: Buffer): Buffer {
      if (current === plain && all.every(isClosed) && isInOrder(bytes)) out.give(plain.redaction.push(bytes));
      else pushMixed(bytes);
      readBytes += bytes.length;
      return out.takeOut();
    },
    /** Returns all unfinished lines; nothing more will come. */
    flush(): Buffer {
      for (const line of all) out.end(line);
      current = plain;
      return out.takeOut();
    },
    /** The number of input bytes, up to the end of the last push, that a later process must read again. */
    get heldBytes(): number {
      return readBytes - (oldestOf(all)?.offset ?? readBytes);
    },
    /** How many bytes of that process's output have been returned already. */
    get aheadBytes(): number {
      return out.givenBytes - (oldestOf(all)?.givenBytes ?? out.givenBytes);
    },
  };
}

/** The redacted bytes, in the order in which they leave. */
function createOutput() {
  let givenBytes = 0;
  let pieces: Buffer[] = [];

  function give(bytes: Buffer): void {
    if (bytes.length === 0) return;
    givenBytes += bytes.length;
    pieces.push(bytes);
  }

  /** Outputs the held part of the line, and `rest`. Keeps back an end that may begin a secret. */
  function giveFrom(line: OpenLine, rest: Buffer): void {
    give(line.redaction.push(line.length === 0 ? rest : Buffer.concat([heldOf(line), rest])));
    clear(line);
  }

  /**
   * Holds a part of a line without its end. `offset` is the part's place in the spool. Cuts depend only on where the
   * line began.
   */
  function hold(line: OpenLine, part: Buffer, offset: number): void {
    for (let rest = part; rest.length > 0; ) {
      line.from ??= { offset, givenBytes };
      const heldBytes = line.redaction.heldBytes + line.length;
      const room = Math.max(leastPieceBytes, longestLineBytes - (heldBytes % longestLineBytes));
      if (rest.length < room) {
        append(line, rest);
        return;
      }
      const cut = cutBefore(rest, room);
      giveFrom(line, rest.subarray(0, cut));
      const end = offset + part.length - rest.length + cut;
      const waiting = line.redaction.heldBytes;
      if (waiting > 0) line.from = { offset: Math.max(offset, end - waiting), givenBytes };
      rest = rest.subarray(cut);
      if (rest.length > 0) line.from ??= { offset: end, givenBytes };
    }
  }

  /** Takes a part of the input that one writer wrote. */
  function take(line: OpenLine, part: Buffer, offset: number): void {
    const lineEnd = part.lastIndexOf(newline) + 1;
    if (lineEnd > 0) giveFrom(line, part.subarray(0, lineEnd));
    hold(line, part.subarray(lineEnd), offset + lineEnd);
  }

  return {
    get givenBytes(): number {
      return givenBytes;
    },
    give,
    giveFrom,
    take,
    /** Returns the rest of a line that has no end, on its own line. */
    end(line: OpenLine): void {
      const rest = Buffer.concat([line.redaction.push(heldOf(line)), line.redaction.flush()]);
      if (rest.length > 0 && pieces.length > 0) give(Buffer.of(newline));
      give(rest);
      clear(line);
    },
    /** Everything given since the last call. */
    takeOut(): Buffer {
      const given = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
      pieces = [];
      return given ?? nothing;
    },
  };
}

function oldestOf(lines: readonly OpenLine[]): OpenLine['from'] {
  let first: OpenLine['from'];
  for (const { from } of lines) if (from && (!first || from.offset < first.offset)) first = from;
  return first;
}

function createOpenLine(redactor: Redactor): OpenLine {
  return { redaction: redactor.stream(), buffer: nothing, length: 0, from: undefined };
}

function isClosed({ length, redaction }: OpenLine): boolean {
  return length === 0 && redaction.heldBytes === 0;
}

function isOverdue({ from }: OpenLine, offset: number): boolean {
  return from !== undefined && offset - from.offset > longestWaitBytes;
}

/** Whether these are whole lines, and no other line cuts into one. */
function isInOrder(bytes: Buffer): boolean {
  if (bytes[bytes.length - 1] !== newline) return false;
  for (let mark = findMark(bytes, 0); mark < bytes.length; mark = findMark(bytes, mark + 1)) {
    if (mark > 0 && bytes[mark - 1] !== newline) return false;
  }
  return true;
}

function heldOf({ buffer, length }: OpenLine): Buffer {
  return buffer.subarray(0, length);
}

function clear(line: OpenLine): void {
  line.buffer = nothing;
  line.length = 0;
  line.from = undefined;
}

function append(line: OpenLine, part: Buffer): void {
  const length = line.length + part.length;
  if (length > line.buffer.length) {
    const larger = Buffer.allocUnsafe(2 * length);
    line.buffer.copy(larger, 0, 0, line.length);
    line.buffer = larger;
  }
  line.length += part.copy(line.buffer, line.length);
}
