import { array, assert, nat, property } from 'fast-check';
import { expect, test } from 'vitest';
import { createSseParser } from '../../src/client/sse-parser.ts';

const stream = [
  'retry: 3000\n\n',
  ': a comment\n\n',
  'id: 1\nevent: log\ndata: {"message":"one"}\n\n',
  'id: 2\r\nevent: log\r\ndata: two\r\ndata: lines\r\n\r\n',
  'data\n\n',
  'event: end\ndata:{"status":"success"}\n\n',
  'id: 4\ndata: never finished\n',
].join('');

const events = [
  { id: '1', event: 'log', data: '{"message":"one"}' },
  { id: '2', event: 'log', data: 'two\nlines' },
  { id: '2', event: 'message', data: '' },
  { id: '2', event: 'end', data: '{"status":"success"}' },
];

test('events, comments and ids are told apart, and what is not complete is no event', () => {
  expect(createSseParser()(stream)).toEqual(events);
});

test('it does not matter where the stream is cut', () => {
  assert(
    property(array(nat(stream.length), { maxLength: 12 }), (cuts) => {
      const parse = createSseParser();
      const borders = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const seen = borders.slice(1).flatMap((end, at) => parse(stream.slice(borders[at], end)));
      expect(seen).toEqual(events);
    }),
  );
});
