

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('connections', '0003_pace'),
        ('syncs', '0004_secret_actor'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='secretimport',
            options={'ordering': ('folder', 'position', 'pk')},
        ),
        migrations.AlterField(
            model_name='secretsync',
            name='connection',
            field=models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='syncs', to='connections.appconnection'),
        ),
    ]
