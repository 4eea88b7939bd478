// A notification: tells one webhook of a job that a run has ended.

export const notificationStatuses = ['pending', 'delivered', 'failed'] as const;
export type NotificationStatus = (typeof notificationStatuses)[number];

/** As the API returns it, with only the origin of the webhook's URL. */
export type Notification = {
  readonly id: string;
  readonly status: NotificationStatus;
  readonly origin: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  /** When it was delivered or given up. */
  readonly finished_at: string | null;
};
