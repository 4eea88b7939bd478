// Reads the tests.yaml beside a job's config.yaml: its tests, or every error with file, line and column. Tests are not
// part of the job's definition and are read only to run them.

import type { ValidateFunction } from 'ajv/dist/2020.js';
import type { JobError, JsonObject, JsonValue } from '../../domain/job.ts';
import { type JobTest, patternOf } from '../../domain/job-test.ts';
import { parseDuration } from '../../lib/units.ts';
import { createYielder } from '../../lib/yielder.ts';
import { toMemberErrors } from '../arguments/schema-errors.ts';
import { lstatOf, readSourceFile } from '../source/source-file.ts';
import { childOf } from '../source/source-path.ts';
import { createCompiler } from './compiled-form.ts';
import { errorText, type MemberError, ruleError } from './config-error.ts';
import { duration, text } from './config-schema.ts';
import { parseConfigText } from './config-text.ts';
import { printable } from './job-id.ts';
import { integer, list, map, oneOf, type Static, schemaOf, string } from './typed-schema.ts';

const testsFile = 'tests.yaml';
const sizeLimitBytes = 256 * 1024;
const mostTests = 500;
const defaultDurationMs = 5 * 60_000;

const testsSchema = list(
  map(
    { name: text },
    {
      args: schemaOf<JsonObject>({ type: 'object' }),
      profile: oneOf('secure', 'permissive', 'disabled'),
      expect: map(
        {},
        {
          status: oneOf('success', 'failed', 'cancelled'),
          exit_code: integer({ minimum: 0, maximum: 255 }),
          result: schemaOf<JsonValue>({}),
          result_includes: schemaOf<JsonValue>({}),
          log: list(
            string({
              minLength: 1,
              maxLength: 1000,
              format: 'pattern',
              says: 'text, or a regular expression such as `/^done/`',
            }),
          ),
          artifacts: list(text, { uniqueItems: true }),
          max_duration: duration,
        },
      ),
    },
  ),
  { maxItems: mostTests, says: 'a list of tests' },
);
type RawTest = Static<typeof testsSchema>[number];

const compile = createCompiler({ span: (value) => parseDuration(value) !== undefined, pattern: isPattern });
let validate: ValidateFunction<readonly RawTest[]> | undefined;

/** `path` is the job's directory, relative to the source at `root`. Returns undefined when the job has no tests. */
export async function readJobTests(
  root: string,
  path: string,
): Promise<{ readonly tests: readonly JobTest[] } | { readonly errors: readonly JobError[] } | undefined> {
  const directory = path === '.' ? '' : path;
  const file = childOf(directory, testsFile);
  const errorAt = (message: string, place = { line: 1, column: 1 }): JobError => ({
    file: printable(file),
    ...place,
    message,
  });
  if (!lstatOf(`${root}/${file}`)) return undefined;
  const read = readSourceFile(root, file, sizeLimitBytes);
  if ('message' in read) return { errors: [errorAt(`${testsFile} ${read.message}`)] };
  const parsed = await parseConfigText(read.text, createYielder());
  if (!('value' in parsed)) return { errors: parsed.map(({ message, ...place }) => errorAt(message, place)) };
  const checked = checkTests(parsed.value ?? []);
  if ('tests' in checked) return checked;
  const errors = checked.errors
    .map((error) => errorAt(errorText(error), parsed.placeOf(error.path, error.spot)))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  return { errors };
}

function checkTests(
  value: JsonValue,
): { readonly tests: readonly JobTest[] } | { readonly errors: readonly MemberError[] } {
  validate ??= compile(testsSchema);
  if (!validate(value)) return { errors: toMemberErrors(validate.errors ?? [], () => 'key') };
  const names = value.map(({ name }) => name);
  const twice = [...names.entries()].filter(([at, name]) => names.indexOf(name) < at);
  if (twice.length > 0)
    return {
      errors: twice.map(([at, name]) => ruleError([String(at), 'name'], `another test is also called \`${name}\``)),
    };
  return { tests: value.map(toTest) };
}

function toTest({ name, args = {}, profile, expect = {} }: RawTest): JobTest {
  return {
    name,
    args,
    profile: profile ?? null,
    expect: {
      status: expect.status ?? 'success',
      exitCode: expect.exit_code,
      result: expect.result,
      resultIncludes: expect.result_includes,
      log: expect.log ?? [],
      artifacts: expect.artifacts ?? [],
      maxDurationMs: expect.max_duration === undefined ? defaultDurationMs : (parseDuration(expect.max_duration) ?? 0),
    },
  };
}

function isPattern(value: string): boolean {
  try {
    patternOf(value);
    return true;
  } catch {
    return false;
  }
}
