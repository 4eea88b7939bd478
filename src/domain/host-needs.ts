// Lists programs that need more from the host than a sandbox gives a job, grouped by what they need. The table contains
// no advice, because the advice depends on who reads it.

const programs = {
  'another user': ['sudo', 'su', 'doas', 'runuser'],
  schedules: ['crontab', 'at', 'batch'],
  services: ['systemctl', 'service', 'journalctl', 'loginctl'],
  containers: ['docker', 'podman', 'nerdctl', 'virsh', 'lxc'],
  'root privileges': [
    'mount',
    'umount',
    'shutdown',
    'reboot',
    'poweroff',
    'iptables',
    'nft',
    'modprobe',
    'sysctl',
    'useradd',
    'usermod',
    'userdel',
    'passwd',
  ],
  mail: ['mail', 'mailx', 'sendmail', 'mutt', 'msmtp'],
} as const;

export type HostNeed = keyof typeof programs;

const needs: ReadonlyMap<string, HostNeed> = new Map(
  Object.entries(programs).flatMap(([need, names]) =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the table
    names.map((name): [string, HostNeed] => [name, need as HostNeed]),
  ),
);

/** Returns undefined for a program that is not known to need anything more. */
export function hostNeedOf(program: string): HostNeed | undefined {
  return needs.get(program);
}
