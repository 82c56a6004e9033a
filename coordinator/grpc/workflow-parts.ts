/** What the handlers of WorkflowService are made of. */
import type { News } from '../events/news.ts';
import type { Board } from '../forecast/board.ts';
import type { Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import type { Intake } from '../workflow/intake.ts';
import type { Listing } from '../workflow/listing.ts';
import type { Reader } from '../workflow/reader.ts';
import type { Results } from '../workflow/results.ts';
import type { Shell } from '../workflow/shell.ts';
import type { Frame } from './handling.ts';

export interface WorkflowServiceParts {
  readonly frame: Frame;
  readonly store: Store;
  readonly intake: Intake;
  readonly reader: Reader;
  readonly listing: Listing;
  readonly results: Results;
  readonly shell: Shell;
  readonly news: News;
  readonly reads: Reads;
  readonly board: Board;
}
