// The form of a tenant’s name.

export const tenantPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;
