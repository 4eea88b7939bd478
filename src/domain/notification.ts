// A notification: the end of a run, told to one webhook that its job names.

export const notificationStatuses = ['pending', 'delivered', 'failed'] as const;
export type NotificationStatus = (typeof notificationStatuses)[number];

/** As the API answers it: of the webhook's address the origin alone. */
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
