// The part of the configuration that the server needs.

import type { SecurityProfile } from '../domain/job.ts';
import type { Channel, Smtp, StoredText } from '../domain/notification.ts';
import type { UsingSource } from '../domain/policy.ts';
import type { RetentionPolicy } from '../engine/retention/retain.ts';
import type { AuthMode } from './admission/local-callers.ts';

export type RateLimit = { readonly limit: number; readonly windowMs: number };

export type TlsConfig = { readonly certFile: string; readonly keyFile: string };

export type JwtConfig = {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: { readonly file: string } | { readonly url: string };
  readonly tenantClaim: string;
  readonly scopeClaim: string;
  readonly algorithms: readonly string[];
  readonly clockSkewMs: number;
};

export type ServerConfig = {
  readonly instance: { readonly name: string; readonly defaultTenant: string };
  readonly auth: { readonly mode: AuthMode; readonly isDev: boolean; readonly jwt: JwtConfig | null };
  readonly server: {
    readonly bind: { readonly host: string; readonly port: number };
    /** The address at which people reach this server; null: flwd.yaml does not name it. */
    readonly publicUrl: string | null;
    readonly readTimeoutMs: number;
    readonly writeTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly syncWaitMs: number;
    readonly bodyLimitBytes: number;
    /** null: plain HTTP. */
    readonly tls: TlsConfig | null;
    readonly corsOrigins: readonly string[];
    /** true to trust every peer, or a list of addresses and CIDR ranges. */
    readonly trustProxy: boolean | readonly string[];
  };
  readonly sources: readonly (UsingSource & {
    readonly type: string;
    readonly path: string;
    readonly mountPath: string;
    readonly watch: boolean;
  })[];
  readonly security: {
    readonly defaultProfile: SecurityProfile;
    readonly profiles: Readonly<Record<SecurityProfile, { readonly rateLimit: RateLimit | null }>>;
  };
  readonly persistence: {
    readonly artifacts: { readonly quotaSoftBytes: number | null; readonly quotaHardBytes: number };
    readonly retention: RetentionPolicy;
  };
  readonly extensions: readonly string[];
  readonly notify: { readonly channels: readonly Channel[]; readonly smtp: Smtp | null };
  /** The headers of requests to a collector of spans and logs; null: flwd.yaml names no collector. */
  readonly collector: { readonly headers: Readonly<Record<string, StoredText>> } | null;
};
