// Loads the code of a component when the component is first shown.

import { type ComponentType, type ReactNode, useEffect, useState } from 'react';
import { Loading } from '../widgets/Notes.tsx';

/**
 * Not React's `lazy`, which shows its fallback for at least 300 ms: with it a log opened in 360 ms instead of 60.
 * @param what - named while the code is loaded
 */
export function onDemand<P extends object>(what: string, load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  return function OnDemand(props: P): ReactNode {
    const [Part, setPart] = useState(() => loaded);
    useEffect(() => {
      if (Part !== null) return;
      load().then(
        (part) => {
          loaded = part;
          setPart(() => part);
        },
        (error: unknown) =>
          setPart(() => {
            throw error;
          }),
      );
    }, [Part]);
    return Part === null ? <Loading what={what} /> : <Part {...props} />;
  };
}
