// The PATH of a job, unless the job or its profile sets another one.

export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
