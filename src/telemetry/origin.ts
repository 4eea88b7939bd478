// Describes this instance in OpenTelemetry's terms, as the origin of spans and log records.

import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';

export type Origin = {
  readonly resource: Resource;
  readonly instrumentationScope: { readonly name: string; readonly version: string };
};

/** @param instance the name of the instance */
export function createOrigin(instance: string, version: string): Origin {
  const resource = resourceFromAttributes({
    'service.name': 'flwd',
    'service.version': version,
    'service.instance.id': instance,
  });
  return { resource, instrumentationScope: { name: 'flwd', version } };
}
