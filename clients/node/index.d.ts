// The types of what a program says by itself.
export interface EventOptions {
  /** The test that the event belongs to, by its full id. */
  testId?: string;
  /** The run, where it is not that of SIDECAR_RUN_ID. */
  runId?: string;
}

export interface Status {
  available: boolean;
  reason: string | null;
  listening: boolean;
  abi_version: number | null;
  run_id: string | null;
  kept_as_text: number;
}

export function event(type: string, data?: unknown, options?: EventOptions): boolean;
export function anomaly(signal: string, kind: string): boolean;
export function status(): Status;
