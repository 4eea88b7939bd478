// Protected-resource metadata (RFC 9728). It tells a client of `/mcp` which identity provider issues its token. It
// exists only if the server accepts the JWTs of an issuer.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { usualAgentScopes } from '../domain/principal.ts';
import type { Admission } from './admission/admission.ts';

const wellKnown = '/.well-known/oauth-protected-resource';

export type Identity = {
  readonly issuer: string;
  /** null: the metadata contains the address of the request. */
  readonly publicUrl: string | null;
};

/** The address of the metadata about a path, for the `WWW-Authenticate` header of a 401. */
export function metadataUrl(path: string, request: FastifyRequest, { publicUrl }: Identity): string {
  return `${baseOf(request, publicUrl)}${wellKnown}${path}`;
}

/** @param path of the resource, such as `/mcp` */
export function addResourceMetadata(
  app: FastifyInstance,
  path: string,
  { identity, admission }: { readonly identity: Identity; readonly admission: Pick<Admission, 'admit'> },
): void {
  app.route({
    method: 'GET',
    url: wellKnown + path,
    onRequest: admission.admit({ scope: 'public' }),
    config: { operation: wellKnown },
    handler: (request, reply) =>
      // The answer may contain the address of this request, so no cache may give it to others.
      reply.header('cache-control', 'no-store').send({
        resource: baseOf(request, identity.publicUrl) + path,
        authorization_servers: [identity.issuer],
        bearer_methods_supported: ['header'],
        scopes_supported: usualAgentScopes,
        resource_name: 'flwd',
      }),
  });
}

function baseOf({ protocol, host }: FastifyRequest, publicUrl: string | null): string {
  return (publicUrl ?? `${protocol}://${host}`).replace(/\/$/, '');
}
