// Owns what every view is given: the picture it draws, and the few things it may ask for.
import type { Picture, Session } from '../session.ts';
import type { DescribedTopology, Snapshot } from '../wire.ts';
import type { Question } from './dialog.ts';
import type { View } from '../route.ts';

export interface ViewContext {
  readonly session: Session;
  readonly picture: Picture;
  readonly snapshot: Snapshot;
  readonly topology: DescribedTopology | null;
  readonly ask: (question: Question) => void;
  readonly showCode: (code: string) => void;
  readonly go: (view: View) => void;
  /** Posts to a path below the application; what comes of it is told. */
  readonly act: (path: string, done: string, body?: object) => void;
}
