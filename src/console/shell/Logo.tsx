// The logo of flwd: the lines of a script, and a sign that starts it.

import type { ReactNode } from 'react';

export function Logo({ size }: { readonly size: number }): ReactNode {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--primary)" />
      <g fill="none" stroke="var(--onprimary)" strokeWidth="3" strokeLinecap="round">
        <path d="M8 10h14M8 16h7M8 22h5" />
      </g>
      <path d="M19 15.5v9l7-4.5z" fill="var(--onprimary)" />
    </svg>
  );
}
