// Reads the tests of a job from its tests.yaml, as far as they can be shown. Only `flwd test` validates the file.

import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';

export type JobTest = {
  readonly name: string;
  /** The line of the file on which the test begins. */
  readonly line: number;
  readonly args: readonly string[];
  /** What the test expects of the run, such as "Success, exit code 0". */
  readonly expected: readonly Expected[];
};

type Expected = {
  readonly what: string;
  /** The expected value as the file has it, shown as code. */
  readonly value: string | null;
};

/** Returns null if the file is not a list of tests. */
export function readTests(text: string): readonly JobTest[] | null {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0) return null;
  if (document.contents === null) return [];
  if (!isSeq(document.contents)) return null;
  const items = document.contents.items.filter(isMap);
  if (items.length < document.contents.items.length) return null;
  try {
    return items.map((item) => toTest(membersOf(item.toJS(document)), lines.linePos(item.range?.[0] ?? 0).line));
  } catch {
    // The file has so many YAML aliases that expanding them would fill the memory.
    return null;
  }
}

type Members = Readonly<Record<string, unknown>>;

function toTest({ name, args, profile, expect }: Members, line: number): JobTest {
  return {
    name: typeof name === 'string' ? name : `Line ${line}`,
    line,
    args: Object.entries(membersOf(args)).map(([key, value]) => `${key}=${shown(value)}`),
    expected: [
      ...expectedOf(membersOf(expect)),
      ...(profile === undefined ? [] : [{ what: 'in the profile', value: shown(profile) }]),
    ],
  };
}

function expectedOf(expect: Members): readonly Expected[] {
  const one = (what: string, value: unknown): readonly Expected[] =>
    value === undefined ? [] : [{ what, value: shown(value) }];
  const each = (what: string, values: unknown): readonly Expected[] =>
    Array.isArray(values) ? values.flatMap((value) => one(what, value)) : [];
  return [
    { what: statusWords[shown(expect.status ?? 'success')] ?? 'ends', value: null },
    ...one('exit code', expect.exit_code),
    ...one('result', expect.result),
    ...one('result with', expect.result_includes),
    ...each('log has', expect.log),
    ...each('artifact', expect.artifacts),
    ...one('within', expect.max_duration),
  ];
}

const statusWords: Readonly<Record<string, string>> = {
  success: 'succeeds',
  failed: 'fails',
  cancelled: 'is cancelled',
};

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
