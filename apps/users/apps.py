from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "apps.users"
    verbose_name = "Users"

    def ready(self) -> None:
        from apps.users import personal_data, schema  # noqa: F401  # the schema registers itself
        from apps.users.follows import FollowHolder

        personal_data.register("follows", FollowHolder())
