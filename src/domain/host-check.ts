// The result of one check of the host that flwd runs on. It never contains a path of the host.

export type HostCheck = {
  readonly name: string;
  /** `fail` means that jobs cannot run as configured. `warn` means that something works less well or not at all. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to install or to configure; null if there is nothing to do. */
  readonly fix: string | null;
};

export function ok(name: string, detail: string): HostCheck {
  return { name, status: 'ok', detail, fix: null };
}

export function warn(name: string, detail: string, fix: string | null): HostCheck {
  return { name, status: 'warn', detail, fix };
}

export function fail(name: string, detail: string, fix: string | null): HostCheck {
  return { name, status: 'fail', detail, fix };
}

export type Complaint = { readonly what: string; readonly fix: string };

const mostNamed = 5;

/** Returns one warning that names the first few complaints, or an empty list if there are no complaints. */
export function complain(name: string, complaints: readonly Complaint[]): HostCheck[] {
  if (complaints.length === 0) return [];
  const more = complaints.length > mostNamed ? `; and ${complaints.length - mostNamed} more` : '';
  const named = complaints.slice(0, mostNamed);
  const fixes = [...new Set(named.map(({ fix }) => fix))];
  return [warn(name, `${named.map(({ what }) => what).join('; ')}${more}`, fixes.join('; '))];
}
