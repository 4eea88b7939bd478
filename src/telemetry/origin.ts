// Says in OpenTelemetry's terms that something comes from this instance.

import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';

export type Origin = {
  readonly resource: Resource;
  readonly instrumentationScope: { readonly name: string; readonly version: string };
};

/** @param instance its name */
export function createOrigin(instance: string, version: string): Origin {
  const resource = resourceFromAttributes({
    'service.name': 'flwd',
    'service.version': version,
    'service.instance.id': instance,
  });
  return { resource, instrumentationScope: { name: 'flwd', version } };
}
