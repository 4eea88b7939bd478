// Shows an error in place of a page that cannot be drawn. The cause is a bug, or the server has been updated and no
// longer has a part of this version of the console.

import { Component, type ReactNode } from 'react';
import { ErrorNote } from '../widgets/Notes.tsx';

type Props = { readonly children: ReactNode };

/** This is a class, because React offers no other way to catch errors of rendering. */
export class Boundary extends Component<Props, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError(): { readonly hasFailed: boolean } {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <ErrorNote
        text="This page cannot be shown. The server may have been updated, or it may be unreachable."
        retry={() => location.reload()}
      />
    );
  }
}
