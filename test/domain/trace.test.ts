import { describe, expect, test } from 'vitest';
import { readTraceParent, toTraceTexts } from '../../src/domain/trigger/trace.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const good = `00-${traceId}-${spanId}-01`;

describe('traceparent', () => {
  test('is read as the standard defines it', () => {
    const read = { trace_id: traceId, parent_id: spanId, sampled: true, state: null };
    expect(readTraceParent(good, undefined)).toEqual(read);
    expect(readTraceParent(`00-${traceId}-${spanId}-00`, undefined)).toEqual({ ...read, sampled: false });
    // Flags of later levels are not passed on.
    expect(readTraceParent(`00-${traceId}-${spanId}-ff`, undefined)).toEqual(read);
  });

  test('of a later version is read as far as this version defines it', () => {
    const read = { trace_id: traceId, parent_id: spanId, sampled: true, state: null };
    expect(readTraceParent(`cc-${traceId}-${spanId}-01`, undefined)).toEqual(read);
    expect(readTraceParent(`cc-${traceId}-${spanId}-01-what-comes`, undefined)).toEqual(read);
    expect(readTraceParent(`cc-${traceId}-${spanId}-01.what-comes`, undefined)).toBeUndefined();
    expect(readTraceParent(`cc-${traceId}-${spanId}-01-${'x'.repeat(1_000)}`, undefined)).toBeUndefined();
  });

  test.each([
    ['nothing', undefined],
    ['another type', 7],
    ['an empty text', ''],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['capital letters', good.toUpperCase()],
    ['the version that is never used', `ff-${traceId}-${spanId}-01`],
    ['more than this version has', `${good}-00`],
    ['a space', ` ${good}`],
    ['two of them', `${good}, ${good}`],
    ['a line break', `${good}\n`],
    ['a control character', `00-${traceId}-${spanId}-0\0`],
    ['a short trace id', `00-${traceId.slice(1)}-${spanId}-01`],
    ['a long text', good.repeat(10_000)],
  ])('that is %s is ignored', (_, text) => {
    expect(readTraceParent(text, 'a=b')).toBeUndefined();
  });
});

describe('tracestate', () => {
  const stateOf = (text: unknown) => readTraceParent(good, text)?.state;

  test('is passed on unchanged', () => {
    expect(stateOf('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE')).toBe('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE');
    expect(stateOf('fw529a3039@dt=FfAc 12, a_-*/=x ,')).toBe('fw529a3039@dt=FfAc 12,a_-*/=x');
    expect(toTraceTexts({ trace_id: traceId, parent_id: spanId, sampled: true, state: 'a=b' })).toEqual({
      traceparent: good,
      tracestate: 'a=b',
    });
  });

  test.each([
    ['nothing', undefined],
    ['another type', ['a=b']],
    ['empty', ' , ,'],
    ['without a value', 'a='],
    ['without a key', '=b'],
    ['with a capital letter in a key', 'A=b'],
    ['with the same key twice', 'a=b,a=c'],
    ['with a control character', 'a=b\u0001'],
    ['with a line break', 'a=b\nPATH=/tmp'],
    ['beyond ASCII', 'a=ü'],
    ['of too many members', Array.from({ length: 33 }, (_, at) => `k${at}=1`).join()],
    ['longer than 512 characters', `a=${'x'.repeat(255)},b=${'x'.repeat(255)}`],
  ])('that is %s is left out, and the trace is kept', (_, text) => {
    expect(readTraceParent(good, text)).toEqual({ trace_id: traceId, parent_id: spanId, sampled: true, state: null });
  });
});
