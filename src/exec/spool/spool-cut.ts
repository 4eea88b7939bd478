// Finds a place to cut the bytes of a spool when there is no newline.

import { spoolMark } from '../../domain/log-line.ts';

/** Returns the last position up to `end` that is not inside of a UTF-8 character, nor between a mark and its letter. */
export function cutBefore(bytes: Buffer, end: number): number {
  let cut = end;
  for (let back = 1; back <= 3 && back <= end; back++) {
    const byte = bytes.readUInt8(end - back);
    if ((byte & 0xc0) === 0x80) continue;
    if (byte >= 0xc0 && characterBytes(byte) > back) cut = end - back;
    break;
  }
  return bytes[cut - 1] === spoolMark ? cut - 1 : cut;
}

function characterBytes(lead: number): number {
  if (lead >= 0xf0) return 4;
  return lead >= 0xe0 ? 3 : 2;
}
