// What stands there when a page cannot be drawn: an error of ours, or a part of the console that another version of the
// server does not have any more.

import { Component, type ReactNode } from 'react';

type Props = { readonly children: ReactNode };

/** React knows no other way to catch what is thrown while drawing. */
export class Boundary extends Component<Props, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError(): { readonly hasFailed: boolean } {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <main id="main">
        <div className="note note-bad" role="alert">
          <p>This page cannot be shown. The server may have a new version, or be gone for a moment.</p>
          <button type="button" onClick={() => location.reload()}>
            Load it again
          </button>
        </div>
      </main>
    );
  }
}
