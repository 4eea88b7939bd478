// Schemas of flwd's own for what people write, as checks that name every error.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/**
 * Nothing of it is loaded into memory before a schema is compiled: a server is ready before it reads a job. Neither the schema itself is
 * checked nor the code made short, which would each take as long as the rest.
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
