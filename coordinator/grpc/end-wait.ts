import type { WorkflowEnd } from '../workflow/results.ts';

/** The end somebody waits for; one that comes before the acknowledgement is held back until that is out. */
export class EndWait {
  readonly wid: string;
  readonly #tell: (end: WorkflowEnd) => void;
  #acknowledged = false;
  #early: WorkflowEnd | undefined;

  constructor(wid: string, tell: (end: WorkflowEnd) => void) {
    this.wid = wid;
    this.#tell = tell;
  }

  readonly done = (end: WorkflowEnd): void => {
    if (this.#acknowledged) this.#tell(end);
    else this.#early = end;
  };

  acknowledge(): void {
    this.#acknowledged = true;
    if (this.#early !== undefined) this.#tell(this.#early);
  }
}
