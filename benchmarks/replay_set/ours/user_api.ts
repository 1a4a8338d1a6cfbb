interface User {
  id: number;
  name: string;
  email?: string;
}

const BASE_URL = 'https://example.org/api';

async function getJson<T>(path: string): Promise<T> {
  const response = await fetch(`${BASE_URL}${path}`);
  if (!response.ok) {
    throw new Error(`request failed: ${response.status}`);
  }
  return (await response.json()) as T;
}

export async function getUser(id: number): Promise<User> {
  return getJson<User>(`/users/${id}`);
}

export async function listUsers(): Promise<User[]> {
  return getJson<User[]>('/users');
}
