/**
 * How large a workflow may be. `spec.ts` refuses what is larger at submit; `refs.ts` fails the step where only the
 * running workflow can tell. Lengths are UTF-16 code units, `…_BYTES` are UTF-8 bytes of JSON text.
 */

const MIB = 1_048_576;

/** Steps of one workflow: a plan of that size compiles in tens of milliseconds. */
export const MAX_STEPS = 10_000;

/** Edges of one workflow: 10,000 steps with 25 dependencies each, or 500 × 500 in two layers. */
export const MAX_DEPENDENCIES = 250_000;

/** Length of a workflow's name. */
export const MAX_WORKFLOW_NAME_LENGTH = 200;

/** Length of a step's name and of a loop variable. */
export const MAX_STEP_NAME_LENGTH = 100;

/** Tags of one workflow. */
export const MAX_TAGS = 32;

/** Length of a tag. */
export const MAX_TAG_LENGTH = 128;

/** Attempts after the first. */
export const MAX_RETRIES = 100;

/** Jobs one step fans out to, known at submit or found out later. */
export const MAX_FAN_OUT = 100_000;

/** Inline input of a step, items of a fan-out, arguments of a workflow: what is larger travels as an artifact. */
export const MAX_INPUT_BYTES = MIB;

/** JSON of a whole workflow: inputs, items, arguments, metadata and state together. */
export const MAX_INLINE_BYTES = 8 * MIB;

/** Input of one job once its references are resolved: room for what 10,000 jobs of a fan-out return, 400 bytes each. */
export const MAX_RESOLVED_INPUT_BYTES = 4 * MIB;

/** Metadata of a workflow or a step. It stands in lists of workflows, hence small. */
export const MAX_METADATA_BYTES = MIB / 16;

/** Opaque state of a workflow. It is repeated in the terminal event, hence small. */
export const MAX_STATE_BYTES = MIB / 16;

/** Lists and objects inside one another in any JSON. */
export const MAX_JSON_DEPTH = 64;

/** Length of the text of one path. */
export const MAX_PATH_LENGTH = 1_000;

/** Names and positions in one path: nothing of legal depth lies deeper. */
export const MAX_PATH_SEGMENTS = 64;

/** Labels one requirement asks for. */
export const MAX_LABELS = 64;

/** Length of a label's name. */
export const MAX_LABEL_NAME_LENGTH = 128;

/** Length of a label's value. */
export const MAX_LABEL_VALUE_LENGTH = 256;

/** Models a requirement names, and models of GPUs an alternative does. */
export const MAX_MODELS = 32;

/** Hardware alternatives of one requirement. */
export const MAX_ALTERNATIVES = 16;

/** GPUs or CPU cores one alternative asks for. */
export const MAX_UNITS = 65_536;

/** Timeouts and retention: ten years, so that a point in time plus a duration stays an exact number. */
export const MAX_DURATION_MS = 10 * 366 * 86_400_000;

/** Cost of one job: a million such jobs (2^20 · 2^30) still fit a queue score's 2^50. */
export const MAX_COST = 1_000_000;

/** Cost of a job when neither the step nor the executor says. */
export const DEFAULT_COST = 1;

/** How long a workflow stays readable after its end unless it says: 30 days. */
export const DEFAULT_RETENTION_MS = 30 * 86_400_000;

/** Loop variable of a fan-out that names none. */
export const DEFAULT_LOOP_VARIABLE = 'item';

/** Mistakes reported at once; the last one then says that there are more. */
export const MAX_PROBLEMS = 1_000;
