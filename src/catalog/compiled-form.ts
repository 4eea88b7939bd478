// A schema of flwd's own for what people write, as a check that names every fault.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/**
 * Compiled when it is first asked for: a server is ready before it reads a job. Neither the schema itself is checked nor the
 * code made short, which would each take as long as the rest.
 */
export function createForm<T>(
  schema: object,
  formats: Readonly<Record<string, (value: string) => boolean>>,
): () => ValidateFunction<T> {
  let compiled: ValidateFunction<T> | undefined;
  return () => {
    compiled ??= new Ajv2020({
      allErrors: true,
      strict: false,
      verbose: true,
      ownProperties: true,
      logger: false,
      formats,
      meta: false,
      validateSchema: false,
      code: { optimize: false },
    }).compile<T>(schema);
    return compiled;
  };
}
