import { expect, test } from 'vitest';
import { attachment } from '../../src/server/answers/content-disposition.ts';

test.each([
  ['backup.tar.gz', 'attachment; filename="backup.tar.gz"'],
  ['two words.txt', 'attachment; filename="two words.txt"'],
  ['../../etc/passwd', 'attachment; filename="__.._etc_passwd"'],
  ['..\\evil.exe', 'attachment; filename="__evil.exe"'],
  ['.bashrc', 'attachment; filename="_bashrc"'],
  ['', 'attachment; filename="_"'],
  ['a\r\nSet-Cookie: b', 'attachment; filename="a__Set-Cookie: b"'],
  ['a\u202Egpj.exe', 'attachment; filename="a_gpj.exe"'],
  ['say "hi".txt', `attachment; filename="say _hi_.txt"; filename*=UTF-8''say%20%22hi%22.txt`],
  ['größe (1).csv', `attachment; filename="gr__e (1).csv"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%281%29.csv`],
  ['\ud800.txt', `attachment; filename="_.txt"; filename*=UTF-8''%EF%BF%BD.txt`],
])('%j is sent as a safe file name in the header', (name, header) => {
  expect(attachment(name)).toBe(header);
});
