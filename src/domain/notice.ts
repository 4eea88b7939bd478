// A notice: the end of a run, told to one webhook that its job names.

export const noticeStatuses = ['pending', 'delivered', 'failed'] as const;
export type NoticeStatus = (typeof noticeStatuses)[number];

/** As the API answers it: of the webhook's address the origin alone. */
export type Notice = {
  readonly id: string;
  readonly status: NoticeStatus;
  readonly origin: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  /** When it was delivered or given up. */
  readonly finished_at: string | null;
};
