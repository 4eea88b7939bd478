// Puts lines together that were written in pieces while other writers wrote to the same spool. The writers are stdout,
// the helpers that print marked lines to stdout, and stderr. Each has its own unfinished line and its own redaction, so
// that a secret is found even if another writer wrote between its parts. The lines are redacted, and come in the order
// in which they end.

import { findMark, spoolMark } from '../../domain/log-line.ts';
import type { RedactionStream, Redactor } from '../redact/redact.ts';
import { cutBefore } from './spool-cut.ts';

export type SpoolLines = ReturnType<typeof createSpoolLines>;

/** An unfinished line of one writer. */
type OpenLine = {
  readonly redaction: RedactionStream;
  /** Only the first `length` bytes are used. They have not been redacted yet. */
  buffer: Buffer;
  length: number;
  /** The offset at which a later process must begin to read the line, and how many bytes had been returned before. */
  from: { readonly offset: number; readonly givenBytes: number } | undefined;
};

const longestLineBytes = 64 * 1024;
/** Enough for a whole character and a mark, so that a cut is never at the very beginning. */
const leastPieceBytes = 8;
/**
 * How many bytes of the spool may be read after the beginning of an unfinished line. Beyond this limit, the line so far
 * is returned, so that the disk blocks of the spool can be freed. Its last bytes stay in memory if they may be the
 * beginning of a secret.
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
  /** The line that was interrupted by a line of stderr, and that continues after it. */
  let interrupted = plain;
  let readBytes = 0;

  function begin(letter: number | undefined, offset: number): void {
    for (const line of [plain, reported]) if (isOverdue(line, offset)) out.giveFrom(line, nothing);
    if (letter === stderrLetter) {
      interrupted = current;
      current = errors;
      return;
    }
    // If two helpers print long messages at the same time, the second message ends the line of the first.
    if (current === reported) out.giveFrom(reported, nothing);
    current = reported;
  }

  /**
   * Returns the end of the marked line that begins at `at`, and of all marked lines directly after it. Returns the
   * length of `bytes` if the line does not end in them.
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
      // In a line of stderr, a mark is part of the text, because the shim always writes whole lines.
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
     * Adds the next bytes of the spool. Returns the lines that have ended, and pieces of lines that are longer than 64
     * KiB.
     */
    push(bytes: Buffer): Buffer {
      if (current === plain && all.every(isClosed) && isInOrder(bytes)) out.give(plain.redaction.push(bytes));
      else pushMixed(bytes);
      readBytes += bytes.length;
      return out.takeOut();
    },
    /** Call this at the end of the spool. Returns all unfinished lines. */
    flush(): Buffer {
      for (const line of all) out.end(line);
      current = plain;
      return out.takeOut();
    },
    /** How many of the last input bytes a later process must read again. */
    get heldBytes(): number {
      return readBytes - (oldestOf(all)?.offset ?? readBytes);
    },
    /** The output of a later process begins with this many bytes that have already been returned here. */
    get aheadBytes(): number {
      return out.givenBytes - (oldestOf(all)?.givenBytes ?? out.givenBytes);
    },
  };
}

/** The redacted bytes, in the order of output. */
function createOutput() {
  let givenBytes = 0;
  let pieces: Buffer[] = [];

  function give(bytes: Buffer): void {
    if (bytes.length === 0) return;
    givenBytes += bytes.length;
    pieces.push(bytes);
  }

  /**
   * Outputs the part of the line in memory, and `rest`. Keeps back the last bytes if they may be the beginning of a
   * secret.
   */
  function giveFrom(line: OpenLine, rest: Buffer): void {
    give(line.redaction.push(line.length === 0 ? rest : Buffer.concat([heldOf(line), rest])));
    clear(line);
  }

  /**
   * Stores a part of an unfinished line, and outputs pieces of a line that is too long. `offset` is the position of the
   * part in the spool. The cuts depend only on where the line began.
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

  /** Outputs the lines that end in `part`, and stores the rest of `part` in `line`. */
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
    /** Outputs the rest of a line without an end, as a line of its own. */
    end(line: OpenLine): void {
      const rest = Buffer.concat([line.redaction.push(heldOf(line)), line.redaction.flush()]);
      if (rest.length > 0 && pieces.length > 0) give(Buffer.of(newline));
      give(rest);
      clear(line);
    },
    /** Returns the whole output since the last call. */
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

/** Whether these are whole lines, and no line is interrupted by another. */
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
