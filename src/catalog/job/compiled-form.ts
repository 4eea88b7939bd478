// Compiles JSON Schemas into checks that report every error. They are flwd's own schemas, for files that people write.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/**
 * Loads Ajv only for the first schema, so that a server is ready before it reads a job. Ajv neither validates the
 * schema nor optimizes the generated code, because each of these would take as long as the compilation itself.
 */
export function createCompiler(
  formats: Readonly<Record<string, (value: string) => boolean>>,
): <T>(schema: object) => ValidateFunction<T> {
  let ajv: Ajv2020 | undefined;
  return <T>(schema: object) => {
    ajv ??= new Ajv2020({
      allErrors: true,
      strict: false,
      verbose: true,
      ownProperties: true,
      logger: false,
      formats,
      meta: false,
      validateSchema: false,
      code: { optimize: false },
    });
    return ajv.compile<T>(schema);
  };
}
