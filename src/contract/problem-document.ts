// The schema of a problem document (RFC 9457). Every error of the API is returned as such a document.

import { Type } from 'typebox';
import { anyObject, named } from './schema-parts.ts';

export const problemDocument = named('Problem', {
  type: Type.String({ format: 'uri' }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  instance: Type.String(),
  errors: Type.Optional(Type.Array(anyObject)),
});
